package dl4jbridge;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.util.Iterator;
import java.util.List;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/** Copies the batches of a user's iterator one after the other, for Python to inspect. */
public final class BatchReader {
    private final Iterator<DataSet> batches;
    private DataSet batch;

    private BatchReader(Iterator<DataSet> batches) {
        this.batches = batches;
    }

    /** A reader of a DataSet or a DataSetIterator; null for anything else. */
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

    /** A reader of one batch of two arrays; null if they are not arrays. */
    public static BatchReader ofArrays(Object features, Object labels) {
        return features instanceof INDArray && labels instanceof INDArray
                ? of(new DataSet((INDArray) features, (INDArray) labels))
                : null;
    }

    /** The reason why a class cannot be opened as an iterator; null if it can. */
    public static String problemOf(String className) {
        Class<?> type;
        try {
            type = Class.forName(className, false, BatchReader.class.getClassLoader());
        } catch (ClassNotFoundException | NoClassDefFoundError e) {
            return e instanceof NoClassDefFoundError ? "needs " + e.getMessage() + ", which is not on the class path" : "no such class";
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

    /** Makes an iterator by its constructor without arguments, public or not; throws what the constructor throws. */
    public static DataSetIterator open(String className) throws Throwable {
        Constructor<?> constructor = Class.forName(className).getDeclaredConstructor();
        constructor.setAccessible(true);
        try {
            return (DataSetIterator) constructor.newInstance();
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    /** Advances to the next batch; returns false if there is none. */
    public boolean next() {
        boolean more = batches.hasNext();
        batch = more ? batches.next() : null;
        return more;
    }

    /** Resets an iterator that can be reset, since its owner may use it afterwards. */
    public void reset() {
        if (batches instanceof DataSetIterator && ((DataSetIterator) batches).resetSupported()) {
            ((DataSetIterator) batches).reset();
        }
    }

    /** A copy of the batch's features, FLOAT in 'c' order; null without any. */
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
