package dl4jbridge.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;

class PostedIteratorTest {
    private static final int LENGTH = 10;
    /** Four examples and a rest that is too short for a fifth; every other sample is 128 or more. */
    private static final byte[] INPUT = new byte[4 * LENGTH + 3];
    private static final byte[] TARGET = new byte[INPUT.length];

    static {
        for (int i = 0; i < INPUT.length; i++) {
            INPUT[i] = (byte) (i % 2 == 0 ? i : 255 - i);
            TARGET[i] = (byte) (INPUT[i] + 100);
        }
    }

    @Test
    void eachSampleIsAOneInItsClass() {
        DataSet batch = new PostedIterator(INPUT, TARGET, LENGTH, null).next(3);
        assertOneHot(INPUT, batch.getFeatures(), 3);
        assertOneHot(TARGET, batch.getLabels(), 3);
    }

    private static void assertOneHot(byte[] samples, INDArray array, int examples) {
        assertArrayEquals(new long[] {examples, 256, LENGTH}, array.shape());
        assertEquals('f', array.ordering());
        assertArrayEquals(new long[] {1, examples, 256L * examples}, array.stride());
        assertEquals(DataType.FLOAT, array.dataType());
        for (int example = 0; example < examples; example++) {
            for (int t = 0; t < LENGTH; t++) {
                int wanted = Byte.toUnsignedInt(samples[example * LENGTH + t]);
                for (int k = 0; k < 256; k++) {
                    assertEquals(k == wanted ? 1 : 0, array.getFloat(example, k, t));
                }
            }
        }
    }

    @Test
    void theLastBatchHasWhatIsLeft() {
        PostedIterator iterator = new PostedIterator(INPUT, TARGET, LENGTH, null);
        assertEquals(3, iterator.next(3).numExamples());
        DataSet rest = iterator.next(3);
        assertEquals(1, rest.numExamples());
        assertEquals(1, rest.getFeatures().getFloat(0, Byte.toUnsignedInt(INPUT[3 * LENGTH]), 0));
    }

    @Test
    void aSeedShufflesTheExamplesTheSameWayEachTime() {
        List<Integer> shuffled = starts(5L);
        assertEquals(shuffled, starts(5L));
        List<Integer> inOrder = starts(null);
        assertNotEquals(inOrder, shuffled);
        shuffled.sort(null);
        inOrder.sort(null);
        assertEquals(inOrder, shuffled);
    }

    /** The first sample of each example, in the order of the examples. */
    private static List<Integer> starts(Long seed) {
        INDArray features = new PostedIterator(INPUT, TARGET, LENGTH, seed).next(4).getFeatures();
        List<Integer> starts = new ArrayList<>();
        for (int example = 0; example < 4; example++) {
            for (int k = 0; k < 256; k++) {
                if (features.getFloat(example, k, 0) == 1) {
                    starts.add(k);
                }
            }
        }
        return starts;
    }
}
