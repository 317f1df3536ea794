package dl4jbridge;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.util.Iterator;
import java.util.List;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/** Somebody else's batches, copied out one after the other for Python to look at. */
public final class BatchReader {
    private final Iterator<DataSet> batches;
    private DataSet batch;

    private BatchReader(Iterator<DataSet> batches) {
        this.batches = batches;
    }

    /** Reads a DataSet or a DataSetIterator; null for anything else. */
    public static BatchReader of(Object source) {
        if (source instanceof DataSet) {
            return new BatchReader(List.of((DataSet) source).iterator());
        }
        if (!(source instanceof DataSetIterator)) {
            return null;
        }
        DataSetIterator iterator = (DataSetIterator) source;
        if (!iterator.hasNext() && iterator.resetSupported()) {
            iterator.reset();
        }
        return new BatchReader(iterator);
    }

    /** Reads one batch of two arrays; null if they are no arrays. */
    public static BatchReader ofArrays(Object features, Object labels) {
        return features instanceof INDArray && labels instanceof INDArray
                ? of(new DataSet((INDArray) features, (INDArray) labels))
                : null;
    }

    /** What keeps a class from being opened as an iterator; null if nothing does. */
    public static String problemOf(String className) {
        Class<?> type;
        try {
            type = Class.forName(className, false, BatchReader.class.getClassLoader());
        } catch (ClassNotFoundException | NoClassDefFoundError e) {
            return e instanceof NoClassDefFoundError ? "needs " + e.getMessage() + ", which is not there" : "no such class";
        }
        if (!DataSetIterator.class.isAssignableFrom(type)) {
            return "not a DataSetIterator";
        }
        if (Modifier.isAbstract(type.getModifiers())) {
            return "abstract";
        }
        try {
            type.getDeclaredConstructor();
            return null;
        } catch (NoSuchMethodException e) {
            return "no constructor without arguments";
        }
    }

    /** Makes an iterator by its constructor without arguments, public or not. */
    public static DataSetIterator open(String className) throws Throwable {
        Constructor<?> constructor = Class.forName(className).getDeclaredConstructor();
        constructor.setAccessible(true);
        try {
            return (DataSetIterator) constructor.newInstance();
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    /** Goes on to the next batch; false if there is none. */
    public boolean next() {
        boolean more = batches.hasNext();
        batch = more ? batches.next() : null;
        return more;
    }

    /** Sets an iterator back to its start, if it can, since its owner did not ask for batches to be taken. */
    public void reset() {
        if (batches instanceof DataSetIterator && ((DataSetIterator) batches).resetSupported()) {
            ((DataSetIterator) batches).reset();
        }
    }

    public Tensor features() {
        return copy(batch.getFeatures());
    }

    public Tensor labels() {
        return copy(batch.getLabels());
    }

    public Tensor featuresMask() {
        return copy(batch.getFeaturesMaskArray());
    }

    public Tensor labelsMask() {
        return copy(batch.getLabelsMaskArray());
    }

    private static Tensor copy(INDArray array) {
        return array == null ? null : Tensor.copyOf(array);
    }
}
